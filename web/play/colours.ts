/** Colours that labels are told apart by, in their order (`play-colour-0` and so on in the style). */
export const COLOURS = 8;
