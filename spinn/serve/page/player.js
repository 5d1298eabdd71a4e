// The controls of the steps: play, pause, forward, back, and the slider.

const PACE = 800; // milliseconds of a step at speed 1

export class Player {
  /** `show` is called with the number of steps to show, and whether the player is playing. */
  constructor(elements, show) {
    this.elements = elements;
    this.show = show;
    this.step = 0;
    this.length = 0;
    this.timer = null;
    const { first, back, play, forward, last, slider, speed } = elements;
    first.addEventListener("click", () => this.seek(0));
    back.addEventListener("click", () => this.seek(this.step - 1));
    play.addEventListener("click", () => this.toggle());
    forward.addEventListener("click", () => this.seek(this.step + 1));
    last.addEventListener("click", () => this.seek(this.length));
    slider.addEventListener("input", () => this.seek(Number(slider.value)));
    speed.addEventListener("change", () => this.setPace());
    document.addEventListener("keydown", (event) => this.key(event));
    this.setPace();
  }

  get playing() {
    return this.timer !== null;
  }

  get interval() {
    return PACE / Number(this.elements.speed.value);
  }

  setPace() {
    document.documentElement.style.setProperty("--pace", `${0.6 * this.interval}ms`);
  }

  /** Take over a number of steps in all, and show one. */
  load(length, step) {
    this.pause();
    this.length = length;
    this.elements.slider.max = length;
    this.elements.play.disabled = this.elements.slider.disabled = length === 0;
    this.go(Math.min(step, length));
  }

  seek(step) {
    this.pause();
    this.go(Math.max(0, Math.min(this.length, step)));
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  play() {
    if (this.length === 0) return;
    if (this.step >= this.length) this.go(0);
    this.timer = setTimeout(() => this.tick(), this.interval);
    this.mark();
  }

  pause() {
    if (!this.playing) return;
    clearTimeout(this.timer);
    this.timer = null;
    this.mark();
    this.show(this.step, false);
  }

  tick() {
    this.timer = this.step + 1 < this.length ? setTimeout(() => this.tick(), this.interval) : null;
    this.go(this.step + 1);
  }

  go(step) {
    this.step = step;
    this.mark();
    this.show(step, this.playing);
  }

  mark() {
    const { first, back, play, forward, last, slider, count } = this.elements;
    slider.value = this.step;
    slider.setAttribute("aria-valuetext", `Step ${this.step} of ${this.length}`);
    count.textContent = `${this.step} / ${this.length}`;
    first.disabled = back.disabled = this.step === 0;
    last.disabled = forward.disabled = this.step === this.length;
    play.setAttribute("aria-label", this.playing ? "Pause" : "Play");
    play.classList.toggle("playing", this.playing);
  }

  /** Handle a key, unless what has the focus uses it itself. */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const focused = event.target;
    const slides = focused === this.elements.slider;
    if (!slides && focused.closest("input, textarea, select, [tabindex]")) return;
    if (event.key === " ") {
      if (focused.closest("button, summary, a")) return;
      this.toggle();
    } else if (slides) return;
    else if (event.key === "ArrowRight") this.seek(this.step + 1);
    else if (event.key === "ArrowLeft") this.seek(this.step - 1);
    else if (event.key === "Home") this.seek(0);
    else if (event.key === "End") this.seek(this.length);
    else return;
    event.preventDefault();
  }
}
