import { z } from 'zod';

/** An id as a caller sends it. Streams and rows are named in lower case, so it is made so. */
export const uuid = z.uuid().toLowerCase();
