// Words of the field that can't be avoided, each in half a sentence: what is shown where one first appears.

export const TOKENS = "words or pieces of words, as the model reads them";
export const SEED = "The same number makes the same choices by chance again; another number makes others.";
