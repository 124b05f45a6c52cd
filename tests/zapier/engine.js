// Zapier's own engine over the package that would be pushed: a JSON event a line in, an outcome a line out.
const { createInterface } = require('readline');
const [folder] = process.argv.slice(2);
const core = require(require.resolve('zapier-platform-core', { paths: [folder] }));
const handler = core.createAppHandler(require(folder));

const describe = (error) => ({ name: error.name, message: error.message });

const run = async (event) => {
  try {
    const { results, status } = await handler(event);
    return { results, status };
  } catch (error) {
    return { error: describe(error) };
  }
};

(async () => {
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await run(JSON.parse(line)))}\n`);
  }
})();
