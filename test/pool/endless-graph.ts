/**
 * ONNX's own test of the inverse DFT (test_dft_irfft): x [1, 6, 10, 2] and a scalar axis. With another axis than the last but one, ONNX Runtime
 * 1.30 does not return from a run.
 */
export const ENDLESS_GRAPH = Buffer.from(
  'CAkSDGJhY2tlbmQtdGVzdDqQAQo0CgF4CgAKBGF4aXMSAXkiA0RGVCoOCgdpbnZlcnNlGAGgAQIqDwoIb25lc2lkZWQYAaABAhIOdGVzdF9kZnRfaXJmZnRaGwoBeBIWChQIARIQCgIIAQoCCAYKAggKCgIIAloOCgRheGlzEgYKBAgHEgBiGwoBeRIWChQIARIQCgIIAQoCCAoKAggKCgIIAUIECgAQFA==',
  'base64',
);
