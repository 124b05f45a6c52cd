// Generated from the catalog, like definition.json. Zapier loads it.
module.exports = {
  version: require('./package.json').version,
  platformVersion: require('zapier-platform-core').version,
  ...require('./definition.json'),
};
