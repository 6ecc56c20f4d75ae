/**
 * The consumer group of a reader. Of its log, too: what another log's readers have read of the topic means nothing here,
 * and two installations on one topic must not share its partitions between them.
 */
export const groupIdOf = (topic: string, logId: string, reader: string): string => `${topic}.${logId}.${reader}`;
