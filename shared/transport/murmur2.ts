/** Kafka's murmur2 (its default partitioner), so that a tenant's slot can be computed by any Kafka client. */

/** 32 bits, signed, of the UTF-8 bytes. */
export function murmur2(text: string): number {
  const data = Buffer.from(text, 'utf8');
  const m = 0x5bd1e995;
  let h = 0x9747b28c ^ data.length;
  const words = data.length >> 2;
  for (let index = 0; index < words; index++) {
    let k = Math.imul(data.readInt32LE(index * 4), m);
    k = Math.imul(k ^ (k >>> 24), m);
    h = Math.imul(h, m) ^ k;
  }
  const rest = words * 4;
  switch (data.length & 3) {
    case 3:
      h = Math.imul(
        h ^ ((data[rest] as number) | ((data[rest + 1] as number) << 8) | ((data[rest + 2] as number) << 16)),
        m,
      );
      break;
    case 2:
      h = Math.imul(h ^ ((data[rest] as number) | ((data[rest + 1] as number) << 8)), m);
      break;
    case 1:
      h = Math.imul(h ^ (data[rest] as number), m);
      break;
  }
  h = Math.imul(h ^ (h >>> 13), m);
  return h ^ (h >>> 15);
}
