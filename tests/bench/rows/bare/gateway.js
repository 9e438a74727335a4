export default {
  fetch: (request, env) => env.CHAT.fetch(request),
};
