/** The tasks of models that look at images, by class names of transformers and of exports for transformers.js. */

/** Encoders of images, without their ending `Model` or `ModelWithProjection`. */
const ENCODERS = new Set(
  `Beit Bit CLIPVision ConvNext ConvNextV2 Cvt DINOv3ConvNext DINOv3ViT Data2VecVision DeiT Dinat Dinov2 Dinov2WithRegisters
  EfficientNet FocalNet Hiera IJepa Levit MobileNetV1 MobileNetV2 MobileViT MobileViTV2 PoolFormer Pvt PvtV2 RegNet ResNet
  SiglipVision SwiftFormer Swin Swinv2 ViT ViTHybrid ViTMAE ViTMSN`.split(/\s+/),
);

/** Models of image and text pairs. */
const PAIRS = /^(CLIP|ChineseCLIP|JinaCLIP|MobileCLIP|Siglip2?)Model$/;

const TASKS: readonly (readonly [RegExp, string])[] = [
  [/ForImageClassification$/, 'image-classification'],
  [/ForObjectDetection$/, 'object-detection'],
  [/ForSemanticSegmentation$/, 'image-segmentation'],
  [/ForDepthEstimation$/, 'depth-estimation'],
  [/^(BriaRMBG|BiRefNet|MODNet|U2Netp?|IS[Nn]et)$/, 'background-removal'],
];

/** Kinds that no task serves, and what they are. */
const NOT_SERVED: readonly (readonly [RegExp, string])[] = [
  [/For(Universal|Instance)Segmentation$/, 'instance and panoptic segmentation are not served'],
  [/^Detr.*ForSegmentation$/, 'panoptic segmentation is not served'],
  [/ForZeroShotObjectDetection$|^(Owl|Owlv2|OwlViT).*ForObjectDetection$/, 'detection by texts is not served'],
  [/^(Sam|Sam2|EdgeTam|MobileSam|SlimSam).*Model$|ForMaskGeneration$/, 'masks by points (SAM) are not served'],
  [/For(Keypoint(Detection|Matching)|PoseEstimation)$/, 'key points are not served'],
  [/^(ZoeDepth|DepthPro|PromptDepthAnything)ForDepthEstimation$/, 'depth of this kind is not served'],
  [/ForVideoClassification$/, 'video is not served'],
  [/ForImageMatting$/, 'matting by trimaps is not served'],
  [/^VisionEncoderDecoderModel$|ForImageTextToText$/, 'texts from images are not served'],
];

/** A task, or why there is none. */
type ImageChoice = { readonly task: string } | { readonly why: string };

/** The choice for a class that looks at images; undefined for other classes. `names` are the folder's files. */
export function imageChoice(architecture: string, names: ReadonlySet<string>): ImageChoice | undefined {
  const why = NOT_SERVED.find(([pattern]) => pattern.test(architecture))?.[1];
  if (why !== undefined) return { why: `${architecture}: ${why}` };
  const task = TASKS.find(([pattern]) => pattern.test(architecture))?.[1];
  if (task !== undefined) return { task };
  if (PAIRS.test(architecture))
    return names.has('tokenizer.json') && names.has('preprocessor_config.json')
      ? { task: 'zero-shot-image-classification' }
      : { why: `${architecture} without a tokenizer.json and a preprocessor_config.json has no task` };
  const [, encoder = ''] = /^(.*?)Model(WithProjection)?$/.exec(architecture) ?? [];
  if (!ENCODERS.has(encoder)) return undefined;
  return names.has('preprocessor_config.json')
    ? { task: 'image-feature-extraction' }
    : { why: `${architecture} without a preprocessor_config.json has no task` };
}
