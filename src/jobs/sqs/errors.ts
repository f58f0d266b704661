/** What SQS says of a message that cannot be extended or deleted. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html */

/** Whether the message is not this server's any more: its visibility timeout has ended, another consumer has received it, or it was deleted. */
export function isGone(error: unknown): boolean {
  const { codes, message } = tellOf(error);
  if (codes.some((code) => /(ReceiptHandleIsInvalid|MessageNotInflight)$/.test(code))) return true;
  return codes.some(isInvalidValue) && message.includes('ReceiptHandle');
}

/** Whether the message cannot be kept for longer, because it has been in flight for nearly 12 hours; it still is. */
export function isAtLimit(error: unknown): boolean {
  const { codes, message } = tellOf(error);
  return codes.some(isInvalidValue) && message.includes('VisibilityTimeout') && !message.includes('ReceiptHandle');
}

/** Whether SQS has answered, and would answer the same again. */
export function isRefusal(error: unknown): boolean {
  const status = statusOf(error);
  return status !== undefined && status >= 400 && status < 500;
}

/** Whether a call has failed by an answer, and not on the way there. */
export function isAnswer(error: unknown): boolean {
  return statusOf(error) !== undefined;
}

function statusOf(error: unknown): number | undefined {
  const status = (error as { $metadata?: { httpStatusCode?: unknown } }).$metadata?.httpStatusCode;
  return typeof status === 'number' ? status : undefined;
}

function isInvalidValue(code: string): boolean {
  return /InvalidParameterValue(Exception)?$/.test(code);
}

interface Told {
  readonly codes: readonly string[];
  readonly message: string;
}

/** Errors that the SDK has no class for have the code of the older query protocol beside their name. */
function tellOf(error: unknown): Told {
  if (!(error instanceof Error)) return { codes: [], message: '' };
  const { Code: code } = error as { Code?: unknown };
  return { codes: typeof code === 'string' ? [error.name, code] : [error.name], message: error.message };
}
