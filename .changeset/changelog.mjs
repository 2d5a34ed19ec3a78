// Changelogs for people: what changed, without hashes, and the packages it was released with in one line.
export default {
  getReleaseLine: async ({ summary }) => `- ${summary.trim().replaceAll("\n", "\n  ")}`,

  getDependencyReleaseLine: async (_changesets, dependencies) => {
    if (dependencies.length === 0) return "";
    const names = dependencies.map(({ name }) => `\`${name}\``).join(", ");
    return `- Released with ${names} ${dependencies[0].newVersion}.`;
  },
};
