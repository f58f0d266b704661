/** Why a microphone or a camera gives nothing, by the names of the errors of `getUserMedia`. https://www.w3.org/TR/mediacapture-streams/#dom-mediadevices-getusermedia */
export function mediaProblem(device: 'microphone' | 'camera', error: unknown): string {
  const { name, message } = error instanceof Error ? error : { name: '', message: String(error) };
  switch (name) {
    case 'NotAllowedError':
      return `This page is not allowed to use the ${device}. Allow it in the browser's settings of this site, and try again.`;
    case 'NotFoundError':
      return `No ${device} was found.`;
    case 'NotReadableError':
      return `The ${device} cannot be read; another program may be using it.`;
    default:
      return `The ${device} cannot be used: ${message}`;
  }
}
