const TITLES: Record<number, string> = {
  401: 'Unauthorized',
  404: 'Not Found',
  413: 'Content Too Large',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
};

/** An RFC 9457 answer. */
export const problem = (status: number, code: string, detail: string, requestId: string, extra: object = {}) =>
  new Response(
    JSON.stringify({ type: `about:blank#${code}`, title: TITLES[status], status, detail, code, request_id: requestId, ...extra }),
    { status, headers: { 'Content-Type': 'application/problem+json', 'X-Request-Id': requestId } },
  );
