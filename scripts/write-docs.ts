/** Writes the generated documents: `npm run docs`. Tests fail when one is behind. */
import { writeFile } from 'node:fs/promises';
import { dashboards } from '#observability/dashboards/dashboards.ts';
import { configurationDoc, configurationDocFile } from '#scripts/configuration-doc.ts';
import { eventsDoc, eventsDocFile } from '#scripts/events-doc.ts';
import { metricsDoc, metricsDocFile } from '#scripts/metrics-doc.ts';
import { activityRecordJsonSchema } from '#shared/source-records/activity-record.ts';

await writeFile(eventsDocFile, eventsDoc());
await writeFile(configurationDocFile, configurationDoc());
await writeFile(metricsDocFile, metricsDoc());
for (const { file, content } of dashboards) await writeFile(file, `${JSON.stringify(content, null, 2)}\n`);
await writeFile(
  new URL('../docs/activity-record.schema.json', import.meta.url),
  `${JSON.stringify(activityRecordJsonSchema(), null, 2)}\n`,
);
