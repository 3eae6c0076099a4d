// The variables of a dashboard: what they are now, and texts in which they stand.

import type { Variable } from './dashboard';
import { labelValues } from './prometheus';

export interface Chosen {
  variable: Variable;
  /** As the control above the dashboard shows it. */
  text: string;
  /** Several are alternatives of a regular expression. */
  values: string[];
  /** Stands in a query as it is: what the dashboard's author wrote for all values. */
  raw?: string;
}

/** In the order in which they are declared, because a query may name those before it. */
export async function choose(variables: Variable[]): Promise<Chosen[]> {
  const chosen: Chosen[] = [];
  for (const variable of variables) {
    chosen.push(await chooseOne(variable, chosen));
  }
  return chosen;
}

async function chooseOne(variable: Variable, before: Chosen[]): Promise<Chosen> {
  if (variable.type === 'datasource') {
    return { variable, text: 'Prometheus', values: ['prometheus'] };
  }
  const current = list(variable.current?.value);
  const isAll = current.includes('$__all') || (current.length === 0 && variable.includeAll);
  if (isAll && variable.allValue) {
    return { variable, text: 'All', values: [], raw: variable.allValue };
  }
  if (current.length > 0 && !isAll) {
    return { variable, text: list(variable.current?.text).join(' + '), values: current };
  }
  const options = await possible(variable, before);
  const values = isAll ? options : options.slice(0, 1);
  return { variable, text: isAll ? 'All' : (values[0] ?? ''), values };
}

async function possible(variable: Variable, before: Chosen[]): Promise<string[]> {
  const query = variable.query ?? '';
  if (variable.type === 'query') {
    const found = /^\s*label_values\((?:(.*),)?\s*([A-Za-z_]\w*)\s*\)\s*$/s.exec(expand(query, before));
    if (!found) {
      throw new Error(`variable ${variable.name}: only label_values is understood, not ${query}`);
    }
    return labelValues(found[2], found[1]?.trim());
  }
  if (['custom', 'constant', 'interval', 'textbox'].includes(variable.type)) {
    const options = variable.type === 'custom' || variable.type === 'interval' ? query.split(',') : [query];
    // `text : value` is an option with a text of its own.
    return options.map((option) => option.split(' : ').at(-1)!.trim());
  }
  throw new Error(`variable ${variable.name}: variables of type ${variable.type} are not understood`);
}

/** The text with what Grafana sets itself and what is chosen in place of `$x`, `${x}` and `[[x]]`. */
export function expand(text: string, chosen: Chosen[], builtIn = new Map<string, string>()): string {
  const names = /\$(\w+)|\$\{(\w+)(?::(\w+))?\}|\[\[(\w+)(?::(\w+))?\]\]/g;
  return text.replace(names, (whole, plain, braced, bracedFormat, bracketed, bracketedFormat) => {
    const name = plain ?? braced ?? bracketed;
    const set = builtIn.get(name);
    if (set !== undefined) {
      return set;
    }
    const found = chosen.find(({ variable }) => variable.name === name);
    return found ? format(found, bracedFormat ?? bracketedFormat) : whole;
  });
}

function format({ variable, values, raw }: Chosen, as: string | undefined): string {
  if (raw !== undefined) {
    return raw;
  }
  if (as === 'raw' || as === 'csv' || as === 'text') {
    return values.join(',');
  }
  if (!variable.multi && !variable.includeAll && as !== 'regex') {
    return quoted(values.join(''));
  }
  const escaped = values.map((value) => quoted(value.replace(/[\\^$*+?.()|[\]{}]/g, '\\$&')));
  return escaped.length === 1 ? escaped[0] : `(${escaped.join('|')})`;
}

/** As it stands between the quotes of a query. */
function quoted(value: string): string {
  return value.replace(/[\\"]/g, '\\$&');
}

function list(value: string | string[] | undefined): string[] {
  if (value === undefined || value === '') {
    return [];
  }
  return Array.isArray(value) ? value : [value];
}
