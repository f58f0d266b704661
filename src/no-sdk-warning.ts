/**
 * Amazon's SDK warns of the Node version when a client is made, in lines of its own on stderr, though package-lock.json pins an SDK that runs there. It does not
 * where this variable is `true`. https://github.com/aws/aws-sdk-js-v3/blob/main/supplemental-docs/CLIENTS.md
 */
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
