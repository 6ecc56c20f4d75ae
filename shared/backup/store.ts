/**
 * Where a backup is kept: named files below one place. Two adapters, a folder and S3; contract.ts holds them to this.
 *
 * A file appears whole or not at all, whatever ends the process; so whoever sees a name sees all of its bytes. Nothing
 * here knows what is in the files.
 */
export interface StoredFile {
  /** Below the place, with slashes. */
  readonly name: string;
  readonly bytes: number;
}

export interface BackupStore {
  /** For people, and without credentials. */
  readonly place: string;
  /** Everything that is there. */
  list(): Promise<StoredFile[]>;
  /** Null where there is no such file. */
  read(name: string): Promise<Buffer | null>;
  /** Replaces a file of that name. Resolves when it would survive a crash. */
  write(name: string, bytes: Uint8Array): Promise<void>;
  /** A file that is not there is no error. */
  remove(name: string): Promise<void>;
  close(): void;
}

/** The place cannot be read or written: which, why, and what to do. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}
