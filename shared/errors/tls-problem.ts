/**
 * What is wrong with a server's certificate, in words for whoever set it up: the same for every server that is reached
 * with TLS. Clients wrap the error of Node and OpenSSL in their own, some without its code: so its texts are read, too.
 */

/** Words and codes of OpenSSL and Node. https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const notValidNow = /CERT_HAS_EXPIRED|CERT_NOT_YET_VALID|certificate has expired|(is )?not yet valid/i;
const otherHost = /ALTNAME|altnames|hostname.*does not match/i;
const notTrusted =
  /SELF_SIGNED|UNABLE_TO_(VERIFY|GET)|CERT_UNTRUSTED|CERT_SIGNATURE|self.signed|unable to (get|verify)|certificate/i;

/** Messages and codes of an error and of what caused it. */
export function wordsOf(error: unknown): string {
  const words: string[] = [];
  for (let cause = error as NodeJS.ErrnoException | undefined; cause; cause = cause.cause as typeof cause)
    words.push(`${cause.name}: ${cause.message}${cause.code === undefined ? '' : ` (${cause.code})`}`);
  return words.join('\n');
}

/**
 * A sentence or two that go on after the server's name ("… its certificate is …"); null where the certificate is not what
 * is wrong. `nameAuthority`: how the file of an authority of one's own is named ("Name … in KAFKA_TLS_CA_FILE.").
 */
export function tlsProblem(error: unknown, nameAuthority: string): string | null {
  const words = wordsOf(error);
  if (notValidNow.test(words))
    return `its certificate is not valid now (${/not yet valid/i.test(words) || /NOT_YET/.test(words) ? 'not yet' : 'it has expired'}). Renew it, or correct the clock of this machine.`;
  if (otherHost.test(words))
    return 'its certificate is of another host. Use a name that the certificate holds, or renew it with this one.';
  if (notTrusted.test(words)) return `its certificate is not trusted. ${nameAuthority}`;
  return null;
}
