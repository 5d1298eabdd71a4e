// Examples, as trees; a model that needs no trees gets their words as text.

const CAPTIONS = [
  {
    name: "Snow",
    texts: [
      "( ( A dog ) ( ( is ( running ( in ( the snow ) ) ) ) . ) )",
      "( ( An animal ) ( ( is outside ) . ) )",
    ],
  },
  {
    name: "Contradiction",
    texts: [
      "( ( Two children ) ( ( are ( ( playing soccer ) ( in ( a park ) ) ) ) . ) )",
      "( ( The children ) ( ( are sleeping ) . ) )",
    ],
  },
  {
    name: "Not said",
    texts: [
      "( ( A boy ) ( ( is ( jumping ( into ( a ( swimming pool ) ) ) ) ) . ) )",
      "( ( The boy ) ( ( is ( ( on vacation ) ( with ( his family ) ) ) ) . ) )",
    ],
  },
  {
    name: "Attachment",
    texts: [
      "( ( A man ) ( ( is ( ( watching ( a girl ) ) ( with ( a telescope ) ) ) ) . ) )",
      "( ( A girl ) ( ( has ( a telescope ) ) . ) )",
    ],
  },
  {
    name: "Long sentence",
    texts: [
      "( ( ( A man ) ( in ( ( ( a ( blue shirt ) ) and ) ( a ( white hat ) ) ) ) ) ( ( is ( ( standing ( on ( a ladder ) ) ) ( cleaning ( a window ) ) ) ) . ) )",
      "( ( A man ) ( ( is ( cleaning ( a window ) ) ) . ) )",
    ],
  },
  {
    name: "Rare words",
    texts: [
      "( ( ( An ( old zeppelin ) ) ( over Bremen ) ) ( ( is burning ) . ) )",
      "( Something ( ( is moving ) . ) )",
    ],
  },
];

const BUNDLED_CORPUS = [
  {
    name: "Relative clause",
    texts: [
      "( ( ( every kitten ) ( is sad ) ) . )",
      "( ( ( every ( kitten ( that ( is ( not walking ) ) ) ) ) ( is sad ) ) . )",
    ],
  },
  {
    name: "Negation moved",
    texts: [
      "( ( ( every kitten ) ( is sad ) ) . )",
      "( ( ( every ( kitten ( that ( is walking ) ) ) ) ( is ( not sad ) ) ) . )",
    ],
  },
  {
    name: "Adjective moved",
    texts: [
      "( ( ( some ( ( clean animal ) ( that ( is ( not ( near ( a bus ) ) ) ) ) ) ) ( is walking ) ) . )",
      "( ( ( some animal ) ( is ( near ( a ( clean bus ) ) ) ) ) . )",
    ],
  },
  {
    name: "And, or",
    texts: [
      "( ( ( most men ) ( ( are running ) ( or ( are ( not dry ) ) ) ) ) . )",
      "( ( ( most men ) ( ( are ( not running ) ) ( and ( are dry ) ) ) ) . )",
    ],
  },
  {
    name: "Long sentence",
    texts: [
      "( ( ( ( not all ) ( dogs ( that ( are ( holding ( no apple ) ) ) ) ) ) ( are ( ( holding ( a fruit ) ) ( and running ) ) ) ) . )",
      "( ( ( ( not all ) dogs ) ( are ( ( holding ( a fruit ) ) ( and running ) ) ) ) . )",
    ],
  },
  {
    name: "Rare words",
    texts: [
      "( ( ( an ( ( old zeppelin ) ( over Bremen ) ) ) ( is burning ) ) . )",
      "( ( something ( is moving ) ) . )",
    ],
  },
];

const FORMULAS = [
  { name: "De Morgan", texts: ["( not ( a ( and b ) ) )", "( ( not a ) ( or ( not b ) ) )"] },
  { name: "Entailment", texts: ["( a ( and b ) )", "( a ( or c ) )"] },
  { name: "Negation", texts: ["( a ( or b ) )", "( not ( a ( or b ) ) )"] },
];

const EXPRESSIONS = [
  { name: "Maximum", texts: ["( ( ( ( [MAX 2 ) 9 ) 4 ) ] )"] },
  { name: "Nested", texts: ["( ( ( ( [MAX 2 ) ( ( ( [MIN 4 ) 7 ) ] ) ) 0 ) ] )"] },
  { name: "Sum modulo 10", texts: ["( ( ( ( [SM 8 ) ( ( ( ( [MED 1 ) 6 ) 3 ) ] ) ) 5 ) ] )"] },
];

const BUNDLED_WORDS = 1000; // more than the bundled corpus has

const LABELS = new Set(["entailment", "neutral", "contradiction"]);

/** Return the examples for models that are shown together. */
export function examplesFor(models) {
  const [{ roles, labels, words }] = models;
  if (roles.length === 1) return EXPRESSIONS;
  if (!labels.some((label) => LABELS.has(label.toLowerCase()))) return FORMULAS;
  const sentences = words > BUNDLED_WORDS ? CAPTIONS : BUNDLED_CORPUS;
  return models.some((model) => model.parsed_text) ? sentences : sentences.map(asText);
}

function asText({ name, texts }) {
  const plain = (text) => text.replace(/[()]/g, " ").trim().replace(/\s+/g, " ");
  return { name, texts: texts.map((text) => plain(text).replace(/ ([.,])/g, "$1")) };
}
