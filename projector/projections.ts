/** Which nouns' tables form which projection. Raise the version of one whose tables or folds changed. */
import { activityFold } from '#projector/activity/fold.ts';
import { auditFold } from '#projector/audit/fold.ts';
import type { Projection } from '#projector/projection.ts';
import { rebuildFold } from '#projector/rebuild/fold.ts';
import { relatedRecordFold } from '#projector/related-record/fold.ts';
import { selectionFold } from '#projector/selection/fold.ts';
import { syncRunFold } from '#projector/sync-run/fold.ts';

export const projections: readonly Projection[] = [
  { name: 'catalog', version: 1, folds: [activityFold, relatedRecordFold, selectionFold] },
  { name: 'audit', version: 1, folds: [auditFold] },
  { name: 'operations', version: 1, folds: [syncRunFold, rebuildFold] },
];
