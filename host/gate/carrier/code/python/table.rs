//! What code in Python may name: an allow-list, so that what is missing asks.
//!
//! Of everything here it must be true that it is harmless with *any* arguments, that it opens no
//! path and imports nothing by a name it is given, and that what it gives back leads, by the
//! attributes below, to nothing that is not here. So no `pickle`, no `configparser` (its `read`
//! takes paths), no `operator.attrgetter`, no `str.format` but of a literal.

pub(super) const KEYWORDS: &str = "False None True and as assert break continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield";

/// Keywords behind which a bracket begins a value of its own: `in [1, 2]`.
pub(super) const BEFORE_VALUE: &str =
    "and as assert del elif else except for from if import in is lambda not or raise return while with yield";

/// Builtins that are harmless with any arguments.
pub(super) const HARMLESS: &str = "print len sorted sum min max range enumerate zip map filter any all int str float list dict set tuple bool repr abs round isinstance issubclass reversed chr ord hex bin oct divmod iter next bytes bytearray frozenset complex pow format ascii hash id callable slice exit quit object dir __name__ ArithmeticError AssertionError AttributeError BaseException BlockingIOError BrokenPipeError ConnectionError EOFError Ellipsis EnvironmentError Exception FileExistsError FileNotFoundError FloatingPointError IOError ImportError IndentationError IndexError IsADirectoryError KeyError KeyboardInterrupt LookupError MemoryError ModuleNotFoundError NameError NotADirectoryError NotImplemented NotImplementedError OSError OverflowError PermissionError RecursionError RuntimeError StopIteration SyntaxError SystemError SystemExit TabError TimeoutError TypeError UnicodeDecodeError UnicodeEncodeError UnicodeError UserWarning ValueError Warning DeprecationWarning FutureWarning ZeroDivisionError";

/// The other builtins, of Python 2 as well. Danger: code binds one of them where it never runs, and
/// then calls the real one.
pub(super) const RESERVED: &str = "aiter anext BaseExceptionGroup BufferError BytesWarning ChildProcessError ConnectionAbortedError ConnectionRefusedError ConnectionResetError EncodingWarning ExceptionGroup GeneratorExit ImportWarning InterruptedError PendingDeprecationWarning ProcessLookupError PythonFinalizationError ReferenceError ResourceWarning RuntimeWarning StopAsyncIteration SyntaxWarning UnboundLocalError UnicodeTranslateError UnicodeWarning WindowsError breakpoint classmethod compile copyright credits delattr eval exec getattr globals hasattr help input license locals memoryview open property setattr staticmethod super type vars execfile file raw_input reload class async await match case";

/// Attributes of data that are harmless on everything that code of this kind can hold.
pub(super) const ATTRIBUTES: &str = "append items keys values get split rsplit splitlines join strip lstrip rstrip read readline readlines most_common elements subtract total lower upper title capitalize casefold swapcase startswith endswith find rfind index rindex count replace encode decode partition rpartition zfill ljust rjust center isdigit isalpha isalnum isspace isupper islower isnumeric isdecimal isidentifier isprintable istitle isascii removeprefix removesuffix expandtabs translate maketrans extend insert pop popitem popleft appendleft extendleft rotate remove clear copy sort reverse setdefault update add discard union intersection difference symmetric_difference issubset issuperset isdisjoint fromkeys hex fromhex to_bytes from_bytes bit_length bit_count is_integer as_integer_ratio real imag numerator denominator conjugate match fullmatch search findall finditer sub subn group groups groupdict start end span expand pattern lastindex lastgroup year month day hour minute second microsecond days seconds microseconds total_seconds isoformat strftime strptime now utcnow today fromtimestamp utcfromtimestamp fromisoformat timestamp date time weekday isoweekday isocalendar timetuple astimezone utcoffset tzname ctime timedelta tm_year tm_mon tm_mday tm_hour tm_min tm_sec tm_wday tm_yday digest hexdigest digest_size block_size writerow writerows writeheader fieldnames line_num dialect namelist infolist getnames getmembers filename file_size compress_size size close seek tell closed buffer text tag attrib iter itertext findtext args errno strerror msg lineno colno pos doc major minor micro releaselevel name body targets value func elts quantize sqrt normalize to_integral_value limit_denominator bytes int fields urn version scheme netloc path params query fragment hostname port username geturl hosts network_address broadcast_address netmask prefixlen num_addresses is_private is_global is_loopback compressed exploded subnets supernet overlaps with_prefixlen uniform randint random shuffle choice choices sample st_size st_mtime st_mode st_ctime st_atime st_uid st_gid st_nlink st_ino free used columns lines release machine node processor from_iterable cache_clear cache_info substitute safe_substitute prec getroot getvalue get_matching_blocks ratio quick_ratio get_opcodes mean variance stdev isatty encoding mode __name__ __version__ __doc__ __len__ from_float copy_abs is_nan is_finite is_infinite as_tuple maxlen isatty cpu_count id targets names module level asname keywords arg annotation returns decorator_list bases orelse handlers end_lineno col_offset";

/// Modules with the members that code may name. A member that is a module is a line of its own.
pub(super) const MODULES: &[(&str, &str)] = &[
    ("json", "load loads dump dumps JSONDecodeError"),
    (
        "sys",
        "argv stdin version version_info path exit maxsize platform executable getsizeof byteorder prefix base_prefix exec_prefix getrecursionlimit getdefaultencoding getfilesystemencoding implementation flags hexversion api_version maxunicode float_info int_info stdlib_module_names builtin_module_names",
    ),
    ("sys.stdout", "write flush writelines isatty encoding reconfigure"),
    ("sys.stderr", "write flush writelines isatty encoding reconfigure"),
    ("sys.stdout.buffer", "write flush"),
    (
        "re",
        "compile match fullmatch search sub subn split findall finditer escape error IGNORECASE I MULTILINE M DOTALL S VERBOSE X ASCII A UNICODE U",
    ),
    (
        "math",
        "sqrt ceil floor trunc log log2 log10 log1p exp pow sin cos tan asin acos atan atan2 pi e tau inf nan gcd lcm factorial comb perm prod fsum hypot dist degrees radians isnan isinf isfinite isclose isqrt fabs fmod modf copysign",
    ),
    ("cmath", "sqrt exp log phase polar rect pi e"),
    ("collections", "Counter defaultdict OrderedDict deque ChainMap"),
    ("collections.abc", "Mapping Sequence Iterable Iterator Set Callable Hashable"),
    (
        "itertools",
        "chain count cycle repeat accumulate combinations combinations_with_replacement compress dropwhile filterfalse groupby islice pairwise permutations product starmap takewhile tee zip_longest batched",
    ),
    ("functools", "reduce partial lru_cache cache cmp_to_key"),
    (
        "operator",
        "itemgetter add sub mul truediv floordiv mod neg pos lt le gt ge eq ne contains and_ or_ xor not_ concat countOf",
    ),
    (
        "statistics",
        "mean median mode stdev pstdev variance pvariance fmean quantiles median_low median_high multimode harmonic_mean geometric_mean StatisticsError",
    ),
    ("datetime", "datetime date time timedelta timezone UTC MINYEAR MAXYEAR"),
    (
        "time",
        "time time_ns sleep strftime strptime localtime gmtime mktime ctime asctime perf_counter perf_counter_ns monotonic process_time tzname timezone",
    ),
    ("calendar", "month monthrange isleap timegm calendar month_name day_name month_abbr day_abbr leapdays weekday"),
    ("zoneinfo", "ZoneInfo available_timezones ZoneInfoNotFoundError"),
    ("csv", "reader writer DictReader DictWriter QUOTE_ALL QUOTE_MINIMAL QUOTE_NONE QUOTE_NONNUMERIC Error"),
    (
        "string",
        "ascii_letters ascii_lowercase ascii_uppercase digits hexdigits octdigits punctuation printable whitespace capwords Template",
    ),
    ("textwrap", "dedent indent wrap fill shorten"),
    (
        "hashlib",
        "md5 sha1 sha224 sha256 sha384 sha512 sha3_256 sha3_512 blake2b blake2s new algorithms_available algorithms_guaranteed pbkdf2_hmac file_digest",
    ),
    ("hmac", "new compare_digest digest"),
    (
        "base64",
        "b64encode b64decode b32encode b32decode b16encode b16decode urlsafe_b64encode urlsafe_b64decode standard_b64encode standard_b64decode b85encode b85decode a85encode a85decode",
    ),
    ("binascii", "hexlify unhexlify crc32 b2a_hex a2b_hex a2b_base64 b2a_base64 Error"),
    ("zlib", "compress decompress crc32 adler32 decompressobj error"),
    ("random", "random randint randrange choice choices sample shuffle seed uniform gauss getrandbits"),
    ("secrets", "token_hex token_urlsafe token_bytes choice randbelow"),
    ("decimal", "Decimal getcontext ROUND_HALF_UP ROUND_DOWN ROUND_UP ROUND_HALF_EVEN InvalidOperation"),
    ("fractions", "Fraction"),
    (
        "platform",
        "platform system machine node release version processor python_version python_implementation uname python_version_tuple python_compiler python_build",
    ),
    ("urllib", ""),
    (
        "urllib.parse",
        "quote quote_plus unquote unquote_plus urlencode urlparse urlsplit urlunparse urlunsplit urljoin parse_qs parse_qsl urldefrag",
    ),
    ("html", "escape unescape"),
    ("difflib", "unified_diff context_diff ndiff SequenceMatcher get_close_matches"),
    ("pprint", "pprint pformat pp"),
    ("shlex", "split quote join"),
    ("uuid", "uuid3 uuid4 uuid5 UUID NAMESPACE_DNS NAMESPACE_URL"),
    ("yaml", "safe_load safe_load_all safe_dump safe_dump_all YAMLError"),
    ("tomllib", "load loads TOMLDecodeError"),
    (
        "ast",
        "literal_eval parse dump walk get_docstring iter_child_nodes FunctionDef AsyncFunctionDef ClassDef Import ImportFrom Call Name Assign Constant Attribute",
    ),
    ("struct", "pack unpack unpack_from calcsize iter_unpack error"),
    ("bisect", "bisect bisect_left bisect_right insort"),
    ("heapq", "heappush heappop heapify nlargest nsmallest merge"),
    ("copy", "copy deepcopy"),
    (
        "ipaddress",
        "ip_address ip_network ip_interface IPv4Address IPv4Network IPv6Address IPv6Network summarize_address_range collapse_addresses",
    ),
    ("unicodedata", "name normalize category lookup numeric decimal east_asian_width"),
    ("io", "StringIO BytesIO"),
    ("codecs", "encode decode"),
    ("typing", "Any Dict List Optional Set Tuple Union Iterable Callable"),
    ("glob", "glob iglob escape"),
    ("os", "getcwd listdir walk sep linesep cpu_count getpid getppid name stat uname getuid getgid getloadavg"),
    (
        "os.path",
        "exists isfile isdir islink join basename dirname splitext split abspath realpath relpath getsize getmtime getctime normpath isabs expanduser commonprefix commonpath sep",
    ),
    ("shutil", "which disk_usage get_terminal_size"),
    ("sysconfig", "get_paths get_path get_config_var get_python_version get_platform"),
    ("site", "getsitepackages getusersitepackages"),
    ("ssl", "OPENSSL_VERSION OPENSSL_VERSION_INFO"),
    ("sqlite3", "sqlite_version version"),
    ("multiprocessing", "cpu_count"),
    ("traceback", "print_exc format_exc"),
    ("importlib", ""),
    ("importlib.metadata", "version PackageNotFoundError"),
    ("xml", ""),
    ("xml.etree", ""),
    ("xml.etree.ElementTree", "fromstring tostring ParseError"),
    ("pathlib", ""),
    ("gzip", "compress decompress"),
    ("bz2", "compress decompress"),
    ("lzma", "compress decompress"),
    ("zipfile", "is_zipfile BadZipFile"),
    ("tarfile", "TarError"),
];

/// Installed packages that are imported to see whether they are there, and which version of them.
pub(super) const PACKAGES: &str = "numpy pandas scipy torch tensorflow sklearn matplotlib requests flask django jinja2 sqlalchemy pytest pydantic boto3 botocore click rich attr setuptools pip wheel packaging six cryptography fastapi httpx aiohttp redis psycopg2 pymongo lxml bs4 PIL tqdm dateutil pytz simplejson toml ujson orjson transformers urllib3 certifi werkzeug celery starlette uvicorn gunicorn black mypy psutil jsonschema tabulate markdown pygments virtualenv openpyxl seaborn plotly";

/// What can be named of any module and any package.
pub(super) const OF_ANY_MODULE: &str = "__version__ __name__ __file__ __doc__ VERSION";

/// How something is opened for reading by a literal path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opener {
    /// `open("x", "r")`.
    File,
    /// `ZipFile("x")`.
    Archive,
    /// `Path("x").read_text()`.
    Path,
    /// `ElementTree.parse("x").getroot()`.
    Tree,
}

pub(super) const OPENERS: &[(&str, &str, Opener)] = &[
    ("io", "open", Opener::File),
    ("codecs", "open", Opener::File),
    ("gzip", "open", Opener::File),
    ("bz2", "open", Opener::File),
    ("lzma", "open", Opener::File),
    ("zipfile", "ZipFile", Opener::Archive),
    ("tarfile", "open", Opener::Archive),
    ("pathlib", "Path", Opener::Path),
    ("xml.etree.ElementTree", "parse", Opener::Tree),
];

pub(super) const MODES: &str = "r rb rt br tr r:gz r:bz2 r:xz r:*";
/// What follows `Path("x")`.
pub(super) const OF_PATH: &str =
    "read_text read_bytes exists is_file is_dir is_symlink name stem suffix stat suffixes parts";
