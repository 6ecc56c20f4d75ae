/** Apache Kafka as it comes from Maven. */
import { mavenArtifacts } from '../maven-artifacts.ts';

const version = '4.3.1';
const log4j = { group: 'org.apache.logging.log4j', version: '2.25.2' };

/** The folder of its jars. Kafka still logs through slf4j 1.7: with the binding of slf4j 2 it prints nothing. */
export const kafkaArtifacts = (): Promise<string> =>
  mavenArtifacts(`kafka-${version}`, [
    { group: 'org.apache.kafka', artifact: 'kafka_2.13', version },
    { ...log4j, artifact: 'log4j-core' },
    { ...log4j, artifact: 'log4j-slf4j-impl' },
  ]);
