/**
 * ONNX Runtime for Linux reports how it is used to its maker, and writes a file for each process into the temporary folder,
 * unless this variable is set before its library is loaded. The server sends no such reports unless the variable is set to 0.
 */
process.env['ORT_DISABLE_TELEMETRY'] ??= '1';
