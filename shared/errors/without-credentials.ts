/** For messages: a text that may be a URL, or a mistaken one, without the user and password that may stand in it. */
export const withoutCredentials = (text: string): string => text.replace(/^.*@/s, '…@');
