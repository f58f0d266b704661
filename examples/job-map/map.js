/** A message such as {"ticket": 17, "number": 9} as a job. */
export function toJob({ ticket, number }) {
  if (ticket === undefined) throw new Error('a message needs a ticket');
  return { custom_id: String(ticket), url: '/predict/square', body: { data: number } };
}

/** The result of that job (a line as in docs/jobs.md) as the report that is stored in its place. */
export function toReport({ response }, { ticket }) {
  return response.status_code === 200
    ? { ticket, square: response.body.result }
    : { ticket, error: response.body.error };
}
