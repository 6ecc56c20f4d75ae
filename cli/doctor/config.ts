/** The whole environment, for names in it that look like settings and are none. */
export const wholeEnvironment = (): Readonly<Record<string, string | undefined>> => process.env;
