/** Kinds of models that no task serves and that look at no image and hear no sound, or at more than one kind of thing, by class names of transformers. */

const NOT_SERVED: readonly (readonly [RegExp, string])[] = [
  [/^Tapas(Model|For.+)$|^TapexFor/, 'questions about tables are not served'],
  [
    /^(TimeSeriesTransformer|Informer|Autoformer|PatchTST|PatchTSMixer|TimesFm\w*|Chronos\w*)(Model|For.+)$/,
    'time series are not served',
  ],
  [/^(LayoutLMv2|LayoutLMv3|LayoutXLM|Bros|Udop)\w*$/, 'the layout of documents is not served'],
  [/^Vilt\w*$|ForVisualQuestionAnswering$/, 'questions about images are not served'],
  [
    /^(Blip|Blip2|InstructBlip|Git|Pix2Struct|Kosmos2|Florence2|Llava\w*|Qwen2VL|Qwen2_5_VL|Idefics\w*|PaliGemma|Mllama|SmolVLM)For(ConditionalGeneration|CausalLM)$/,
    'texts from images are not served',
  ],
  [/^(VideoMAE|Vivit|Timesformer|VJEPA2|XCLIP)\w*$/, 'video is not served'],
  [/ForMultipleChoice$|ForNextSentencePrediction$/, 'choices between texts are not served'],
  [/^DecisionTransformer\w*$|^Graphormer\w*$|^Esm(Fold|ForProteinFolding)$/, 'models of this kind are not served'],
];

/** Why a class has no task; undefined for classes that are not among these kinds. */
export function otherKind(architecture: string): { readonly why: string } | undefined {
  const why = NOT_SERVED.find(([pattern]) => pattern.test(architecture))?.[1];
  return why === undefined ? undefined : { why: `${architecture}: ${why}` };
}
