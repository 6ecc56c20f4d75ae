/** Which series and labels an expression of PromQL names, by the grammar that Prometheus' own interface uses. */
import { parser } from '@prometheus-io/lezer-promql';

export interface Selector {
  readonly metric: string;
  readonly matchers: readonly { readonly label: string; readonly operator: string; readonly value: string }[];
}

export interface Expression {
  readonly selectors: readonly Selector[];
  /** Labels of `by`, `on` and the like. */
  readonly grouped: readonly string[];
}

/** What Grafana puts in; four times the interval of scraping at least. */
const withoutVariables = (text: string, rateInterval: string) => text.replaceAll('$__rate_interval', rateInterval);

/** Throws where it is no PromQL. */
export function parseExpression(given: string): Expression {
  const text = withoutVariables(given, '5m');
  const selectors: { metric: string; matchers: Selector['matchers'][number][] }[] = [];
  const grouped: string[] = [];
  parser.parse(text).iterate({
    enter: (node) => {
      const said = text.slice(node.from, node.to);
      if (node.type.isError) throw new Error(`at ${node.from}, "${said}": ${text}`);
      if (node.name === 'VectorSelector') selectors.push({ metric: '', matchers: [] });
      const selector = selectors.at(-1);
      if (node.name === 'Identifier' && selector && node.matchContext(['VectorSelector'])) selector.metric = said;
      if (node.name === 'UnquotedLabelMatcher') {
        const [, label = '', operator = '', value = ''] = /^(\w+)\s*(=~|!~|!=|=)\s*["'](.*)["']$/s.exec(said) ?? [];
        selector?.matchers.push({ label, operator, value });
      }
      if (node.name === 'LabelName' && node.matchContext(['GroupingLabels'])) grouped.push(said);
    },
  });
  return { selectors, grouped };
}

/** Ready to be evaluated. */
export const evaluable = (text: string): string => withoutVariables(text, '1m');
