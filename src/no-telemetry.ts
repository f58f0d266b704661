/**
 * ONNX Runtime for Linux reports how it is used to its maker, and writes a file for each process into the temporary folder,
 * unless this variable is set before its library is loaded. A server does not speak to anybody unasked; who wants to, sets it to 0.
 */
process.env['ORT_DISABLE_TELEMETRY'] ??= '1';
