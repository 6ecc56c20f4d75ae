/** A backup that cannot be used, or not for this: the message names the file or the setting, and what to do. */
export class BackupRefused extends Error {
  override readonly name = 'BackupRefused';
}
