// Prometheus' HTTP interface, behind the server that serves this page.

/** A point in time, in seconds, and a number as text. */
export type Sample = [number, string];

export interface Series {
  metric: Record<string, string>;
  values: Sample[];
}

export async function range(expr: string, start: number, end: number, step: number): Promise<Series[]> {
  const { result } = await ask('query_range', {
    query: expr,
    start: String(start),
    end: String(end),
    step: String(step),
  });
  return result;
}

/** The value at one point in time, as series of one sample. */
export async function instant(expr: string, time: number): Promise<Series[]> {
  const { resultType, result } = await ask('query', { query: expr, time: String(time) });
  if (resultType === 'scalar') {
    return [{ metric: {}, values: [result] }];
  }
  return result.map(({ metric, value }: any) => ({ metric, values: [value] }));
}

/** The values of a label, among the series that a selector matches. */
export async function labelValues(label: string, selector: string | undefined): Promise<string[]> {
  const parameters = selector ? { 'match[]': selector } : undefined;
  return await ask(`label/${label}/values`, parameters, 'GET');
}

async function ask(path: string, parameters: Record<string, string> = {}, method = 'POST'): Promise<any> {
  const body = new URLSearchParams(parameters);
  const answer = await (method === 'GET'
    ? fetch(`/api/v1/${path}?${body}`)
    : fetch(`/api/v1/${path}`, { method, body }));
  const text = await answer.text();
  let parsed;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new Error(`Prometheus answered ${answer.status}: ${text.slice(0, 200)}`);
  }
  if (parsed.status !== 'success') {
    throw new Error(parsed.error);
  }
  return parsed.data;
}
