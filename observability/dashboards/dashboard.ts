import { type Dashboard, DashboardCursorSync, defaultDashboard, type GridPos } from '@grafana/schema';
import type { PanelSpec } from './panel.ts';

export interface DashboardSpec {
  /** Part of its address and the name of its file. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly panels: readonly PanelSpec[];
}

/** Panels from left to right, a new line where one does not fit. */
function placesOf(panels: readonly PanelSpec[]): GridPos[] {
  let [x, y, lineHeight] = [0, 0, 0];
  return panels.map(({ width, height }) => {
    if (x + width > 24) {
      [x, y] = [0, y + lineHeight];
      lineHeight = 0;
    }
    const place = { x, y, w: width, h: height };
    x += width;
    lineHeight = Math.max(lineHeight, height);
    return place;
  });
}

/** The model that Grafana reads, of the version of its schema that we have the types of. */
export function dashboard({ name, title, description, panels }: DashboardSpec): Dashboard {
  const places = placesOf(panels);
  return {
    uid: `cool-mint-${name}`,
    title,
    description,
    tags: ['cool-mint'],
    schemaVersion: defaultDashboard.schemaVersion as number,
    editable: false,
    graphTooltip: DashboardCursorSync.Crosshair,
    time: { from: 'now-1h', to: 'now' },
    refresh: '10s',
    timezone: 'browser',
    links: [
      {
        type: 'dashboards',
        title: 'Cool Mint',
        tags: ['cool-mint'],
        asDropdown: false,
        includeVars: false,
        keepTime: true,
        targetBlank: false,
        icon: 'dashboard',
        tooltip: 'The other dashboards, of the same time',
      },
    ],
    panels: panels.map((panel, index) => panel.at(index + 1, places[index] as GridPos)),
  };
}
