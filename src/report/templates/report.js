(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const form = document.querySelector(".filters");
  // Plain text without a script; with one, every closed part is opened for the printer.
  addEventListener("beforeprint", () => document.querySelectorAll("details.sql").forEach((d) => { d.open = true; }));
  if (!form) return;
  form.hidden = false;
  const step = byId("by-step"), reason = byId("by-reason"), unfold = byId("unfold"), shown = byId("shown");
  const samples = [...document.querySelectorAll(".sample")];
  const apply = () => {
    let count = 0;
    for (const sample of samples) {
      const fits = (!step.value || sample.dataset.step === step.value) && (!reason.value || sample.dataset.reason === reason.value);
      sample.hidden = !fits;
      count += fits;
    }
    shown.textContent = count === samples.length ? `${count} samples` : `${count} of ${samples.length} samples`;
  };
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const select of [step, reason]) select.addEventListener("change", apply);
  unfold.addEventListener("change", () => document.querySelectorAll(".fold").forEach((fold) => { fold.open = unfold.checked; }));
  for (const link of document.querySelectorAll("a[data-step]")) {
    link.addEventListener("click", () => { step.value = link.dataset.step; reason.value = ""; apply(); });
  }
  apply();
})();
