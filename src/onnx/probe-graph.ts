/**
 * A complete ONNX graph of one node (y = x * x, float64, as models/square has it), to try a device on without a file:
 * loading any session is what makes ONNX Runtime look for the CUDA libraries.
 */
export const PROBE_GRAPH: Uint8Array = Buffer.from(
  'CAgSB2NhcnBvb2w6RAoOCgF4CgF4EgF5IgNNdWwSBnNxdWFyZVoUCgF4Eg8KDQgLEgkKBxIFYmF0Y2hiFAoBeRIPCg0ICxIJCgcSBWJhdGNoQgIQEQ==',
  'base64',
);
