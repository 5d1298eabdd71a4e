// The shift-reduce derivation of a sentence: its nodes, and stack and buffer after each step.

/**
 * Return the nodes and states of a derivation.
 *
 * A node has the words `start` to `end`, a `height` (0 for words), and `time`, the number of steps
 * after which it is on the stack. Words come first, in order. `states[t]` is the state after t
 * steps: `stack`, the nodes on it, and `shifted`, the number of words that have left the buffer.
 */
export function derive(words, transitions) {
  const nodes = words.map((word, index) => {
    return { index, word, start: index, end: index + 1, height: 0, time: 0, left: null };
  });
  const states = [{ stack: [], shifted: 0 }];
  let stack = [];
  let shifted = 0;
  transitions.forEach((transition, step) => {
    if (transition === "shift") {
      const node = nodes[shifted];
      node.time = step + 1;
      stack = [...stack, node];
      shifted += 1;
    } else {
      const [left, right] = stack.slice(-2);
      const node = {
        index: nodes.length,
        start: left.start,
        end: right.end,
        height: 1 + Math.max(left.height, right.height),
        time: step + 1,
        left,
        right,
      };
      nodes.push(node);
      stack = [...stack.slice(0, -2), node];
    }
    states.push({ stack, shifted });
  });
  return { words, transitions, nodes, states };
}

/** Return the transitions that are legal in a state. */
export function legalMoves(derivation, state) {
  return {
    shift: state.shifted < derivation.words.length,
    reduce: state.stack.length > 1,
  };
}

/** Return the words of a node. */
export function phrase(derivation, node) {
  return derivation.words.slice(node.start, node.end).join(" ");
}

/**
 * Return the lines of a composed node: from its two children up to a bar. Lines of different nodes
 * never cross, because nodes cover separate ranges of words and are higher than their children.
 */
export function joint(left, right, top, radius = 0) {
  const r = Math.min(radius, (right.x - left.x) / 2, left.y - top, right.y - top);
  return (
    `M${left.x} ${left.y}V${top + r}q0 ${-r} ${r} ${-r}` +
    `H${right.x - r}q${r} 0 ${r} ${r}V${right.y}`
  );
}

/** Set `x` and `y` of all nodes, from the centres of the words; heights are `level` apart. */
export function place(nodes, centres, base, level) {
  for (const node of nodes) {
    node.x = node.left ? (node.left.x + node.right.x) / 2 : centres[node.index];
    node.y = base - node.height * level;
  }
}
