import { errorBody, type ErrorCode, type ServerError } from '../../errors.ts';
import type { Dialect, ToldError } from '../shared/dialect.ts';

export const TEI: Dialect = {
  name: 'tei',
  tellError,
  tellStreamError: (error) => ({ error: error.message }),
};

const TEI_TYPES: Partial<Record<ErrorCode, string>> = {
  QUEUE_FULL: 'Overloaded',
  WAIT_TOO_LONG: 'Overloaded',
  RATE_LIMITED: 'Overloaded',
  QUOTA_EXCEEDED: 'Overloaded',
  INTERNAL: 'Backend',
  INFERENCE_FAILED: 'Backend',
  RUN_TOO_LONG: 'Backend',
  DEADLINE_EXCEEDED: 'Backend',
  MODEL_NOT_FOUND: 'Backend',
};
const TEI_REASONS: Readonly<Record<string, string>> = { empty_input: 'Empty', wrong_task: 'Backend' };

/** TEI's status if the model cannot do what is asked, or fails to. */
const BACKEND_STATUS = 424;

/** Types and statuses follow TEI's code, which capitalises the types, unlike its documentation. Our own `code` is more precise. */
function tellError(error: ServerError): ToldError {
  const { code, reason = '', status } = error;
  const type = TEI_REASONS[reason] ?? TEI_TYPES[code] ?? (status === 503 ? 'Unhealthy' : 'Validation');
  const isBackend = code === 'INFERENCE_FAILED' || reason === 'wrong_task';
  return { status: isBackend ? BACKEND_STATUS : status, body: { ...errorBody(error), error_type: type } };
}
