// Examples, as trees; a model that needs no trees gets their words as text.

const SENTENCES = [
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

const LABELS = new Set(["entailment", "neutral", "contradiction"]);

/** Return the examples for models that are shown together. */
export function examplesFor(models) {
  const [{ roles, labels }] = models;
  if (roles.length === 1) return EXPRESSIONS;
  if (!labels.some((label) => LABELS.has(label.toLowerCase()))) return FORMULAS;
  return models.some((model) => model.parsed_text) ? SENTENCES : SENTENCES.map(asText);
}

function asText({ name, texts }) {
  const plain = (text) => text.replace(/[()]/g, " ").trim().replace(/\s+/g, " ");
  return { name, texts: texts.map((text) => plain(text).replace(/ ([.,])/g, "$1")) };
}
