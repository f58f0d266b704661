import { check } from 'k6';
import exec from 'k6/execution';
import http, { type RefinedResponse, type ResponseType } from 'k6/http';
import type { Options } from 'k6/options';
import { judgeReply, type LoadRequest, type Reply } from '../checks.ts';

/** A file of load-tests/scenarios with `"kind": "open-loop"`. */
export interface OpenLoopScenario {
  readonly options: Options;
  readonly expectedStatuses: readonly number[];
  readonly requests: readonly LoadRequest[];
}

export const baseUrl = __ENV['BASE_URL'] ?? 'http://127.0.0.1:8000';

/** The iteration of a scenario: its requests in turn, one an iteration. Call it in the init context. */
export function iterationOf(scenario: OpenLoopScenario): () => void {
  http.setResponseCallback(http.expectedStatuses(...scenario.expectedStatuses));
  return () => {
    const request = scenario.requests[exec.scenario.iterationInTest % scenario.requests.length];
    if (request === undefined) return;
    const body = request.body === undefined ? null : JSON.stringify(request.body);
    const response = http.request(request.method, baseUrl + request.path, body, {
      headers: body === null ? {} : { 'Content-Type': 'application/json' },
      tags: { name: request.name },
    });
    for (const [verdict, right] of Object.entries(judgeReply(request, toReply(response))))
      check(response, { [verdict]: () => right });
  };
}

export function toReply(response: RefinedResponse<ResponseType | undefined>): Reply {
  return {
    status: response.status,
    retryAfter: response.headers['Retry-After'],
    body: typeof response.body === 'string' ? response.body : '',
  };
}
