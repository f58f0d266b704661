import { JSON_TYPE, ANY_TYPE } from '../shared/about.ts';
import { ServerError } from '../../errors.ts';
import { isJsonType } from '../shared/json-body.ts';
import type { Compression, ItemsOperation, ModelChoice, Operation } from '../shared/operation.ts';
import { NATIVE } from './dialect.ts';
import { NATIVE_ANSWER, encodeNative, type NativeForm } from './reply.ts';
import { NATIVE_BODY, decodePredict } from './request.ts';

const ANY_MODEL: ModelChoice = {
  fits: () => true,
  refusal: () => new ServerError('MODEL_NOT_FOUND'),
  unnamed: 'default',
};

const COMPRESSION: Compression = { codings: ['zstd', 'gzip', 'br', 'deflate'] };

const PREDICT: ItemsOperation<NativeForm> = {
  kind: 'items',
  name: 'native.predict',
  about: {
    summary: 'Runs a model on items, in the terms of its task',
    body: NATIVE_BODY,
    bodyTypes: [JSON_TYPE, ANY_TYPE],
    answerTypes: [JSON_TYPE, ANY_TYPE],
    answer: NATIVE_ANSWER,
  },
  dialect: NATIVE,
  paths: ['/predict', '/predict/:model'],
  models: ANY_MODEL,
  compression: COMPRESSION,
  jsonBytes: (body, { contentType }) => (isJsonType(contentType) ? body.byteLength : 0),
  decode: decodePredict,
  encode: encodeNative,
};

export const NATIVE_OPERATIONS: readonly Operation[] = [PREDICT];
