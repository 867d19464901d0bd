//! What code in JavaScript may name. Names that stand alone and the members of modules are on
//! allow-lists; names of properties are data (`x.dependencies`), so of them those few are refused
//! by which a plain value leads to the function that makes functions out of text.

pub(super) const KEYWORDS: &str = "break case catch const continue default delete do else false finally for function if in instanceof let new null return switch throw true try typeof var void while of undefined NaN Infinity";

/// Keywords behind which a value begins.
pub(super) const BEFORE_VALUE: &str =
    "case delete do else in instanceof new return throw typeof void of const let var await yield";

/// Property names that are never read, set or taken apart.
pub(super) const REFUSED: &str = "constructor prototype caller callee arguments getPrototypeOf setPrototypeOf getOwnPropertyDescriptor getOwnPropertyDescriptors getOwnPropertyNames getOwnPropertySymbols defineProperty defineProperties mainModule binding dlopen prepareStackTrace captureStackTrace getBuiltinModule getFunction getThis _linkedBinding";
/// Property names that call what they are read of.
pub(super) const CALLS: &str = "call apply bind";

/// Functions that may be a value.
pub(super) const FUNCTIONS: &str = "String Number Boolean BigInt parseInt parseFloat isNaN isFinite encodeURIComponent decodeURIComponent encodeURI decodeURI atob btoa";
/// What may stand behind `new` and `instanceof`.
pub(super) const CONSTRUCTORS: &str = "Date Map Set WeakMap WeakSet RegExp Array Error TypeError RangeError SyntaxError URL URLSearchParams Uint8Array TextEncoder TextDecoder";

/// Names with members; the modules of Node are here by their names, which `node -e` knows without
/// `require` as well.
pub(super) const ROOTS: &[(&str, &str)] = &[
    ("console", "log error warn info debug table dir group groupEnd time timeEnd assert count"),
    ("JSON", "parse stringify"),
    (
        "Math",
        "abs ceil floor round trunc max min sqrt cbrt pow log log2 log10 exp sin cos tan asin acos atan atan2 random sign hypot PI E LN2 LN10 SQRT2",
    ),
    ("Object", "keys values entries assign fromEntries freeze is groupBy hasOwn"),
    ("Array", "isArray from of"),
    ("String", "fromCharCode fromCodePoint raw"),
    (
        "Number",
        "isInteger isFinite isNaN isSafeInteger parseFloat parseInt MAX_SAFE_INTEGER MIN_SAFE_INTEGER EPSILON MAX_VALUE MIN_VALUE",
    ),
    ("Date", "now parse UTC"),
    ("Map", "groupBy"),
    ("BigInt", "asIntN asUintN"),
    ("Intl", "NumberFormat DateTimeFormat Collator"),
    ("Buffer", "from alloc byteLength concat isBuffer compare"),
    ("URL", "canParse"),
    ("performance", "now"),
    (
        "process",
        "version versions argv platform arch pid ppid uptime memoryUsage release exit cwd hrtime cpuUsage execPath stdout stderr stdin exitCode",
    ),
    ("process.stdout", "write columns isTTY"),
    ("process.stderr", "write isTTY"),
    ("process.stdin", "on setEncoding resume"),
    ("fs", "existsSync readdirSync statSync lstatSync realpathSync readFileSync"),
    (
        "os",
        "cpus totalmem freemem platform hostname arch release type uptime loadavg EOL tmpdir homedir version machine availableParallelism endianness",
    ),
    ("path", "join basename dirname extname resolve normalize relative isAbsolute sep parse format"),
    ("util", "inspect format isDeepStrictEqual types"),
    ("crypto", "createHash randomUUID randomBytes randomInt createHmac getHashes timingSafeEqual"),
    ("querystring", "parse stringify escape unescape"),
    ("zlib", "gunzipSync gzipSync inflateSync deflateSync inflateRawSync brotliDecompressSync"),
];
/// Those of them that are modules.
pub(super) const MODULES: &str = "fs os path util crypto querystring zlib";

/// Names that code may not bind: the binding might never run, and the name be the real one.
pub(super) const RESERVED: &str = "Object Function Array Number Boolean String Symbol Date Promise RegExp Error AggregateError EvalError RangeError ReferenceError SyntaxError TypeError URIError globalThis JSON Math Intl ArrayBuffer Uint8Array Int8Array Uint16Array Int16Array Uint32Array Int32Array Float32Array Float64Array Uint8ClampedArray BigUint64Array BigInt64Array DataView Map BigInt Set WeakMap WeakSet Proxy Reflect FinalizationRegistry WeakRef Iterator AsyncFunction GeneratorFunction decodeURI decodeURIComponent encodeURI encodeURIComponent escape unescape eval isFinite isNaN console process global root GLOBAL window self Buffer clearImmediate setImmediate URL URLSearchParams URLPattern DOMException AbortController AbortSignal Event EventTarget EventSource TextEncoder TextDecoder TransformStream WritableStream ReadableStream CompressionStream DecompressionStream clearInterval clearTimeout setInterval setTimeout queueMicrotask structuredClone atob btoa BroadcastChannel MessageChannel MessagePort MessageEvent Blob File performance fetch FormData Headers Request Response SharedArrayBuffer Atomics WebAssembly WebSocket Worker crypto Crypto CryptoKey SubtleCrypto CustomEvent navigator Navigator localStorage sessionStorage Storage Temporal ShadowRealm DisposableStack AsyncDisposableStack Float16Array SuppressedError gc assert async_hooks buffer child_process cluster constants dgram diagnostics_channel dns domain events fs http http2 https inspector module net os path perf_hooks punycode querystring readline repl stream string_decoder sys test timers tls trace_events tty url util v8 vm wasi worker_threads zlib sqlite sea exports require parseInt parseFloat toString valueOf hasOwnProperty isPrototypeOf propertyIsEnumerable toLocaleString this super class import export with async await yield enum implements interface package private protected public static debugger as satisfies declare namespace type abstract";
