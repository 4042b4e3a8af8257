"""Label values of somebody who wishes us ill. `{trap}` is replaced by a port that counts whoever knocks."""

# ruff: noqa: E501 - a list of texts
import itertools

METACHARACTERS = [
    "; touch {mark}", "| touch {mark}", "& touch {mark}", "&& touch {mark}", "|| touch {mark}", "`touch {mark}`",
    "$(touch {mark})", "${{IFS}}touch${{IFS}}{mark}", "> {mark}", "< /etc/passwd", "'; touch {mark}; '",
    '"; touch {mark}; "', "\\'; touch {mark}", "a\ntouch {mark}", "a\r\ntouch {mark}", "a\x00touch {mark}",
    "$IFS$9touch", "!(touch)", "~root", "*", "?", "[a-z]*", "{{a,b}}", "%s%s%n", "%00", "a\tb", "a\x1b]0;x\x07b",
    "a\u2028touch {mark}",
]  # fmt: skip
TEMPLATES = [
    "{{{{ 7*7 }}}}", "{{% import os %}}{{{{ os.system('touch {mark}') }}}}", "${{7*7}}", "${{jndi:ldap://127.0.0.1:{trap}/a}}",
    "<%= `touch {mark}` %>", "#{{7*7}}", "#set($x=7*7)", "*{{7*7}}", "@(7*7)", "[[${{7*7}}]]", "{{{{constructor.constructor('x')()}}}}",
    "$${{instance}}", "${{instance}}", "${{other}}", "{{instance}}", "%{{7*7}}", "$(( 7*7 ))", "=7*7", "@SUM(1)",
    "{{{{ .Values }}}}", "{{{{ template \"x\" }}}}", "__import__('os').system('touch {mark}')", "eval(1)",
]  # fmt: skip
TRAVERSAL = [
    "../../../../etc/passwd", "..\\..\\etc", "/etc/passwd", "/proc/self/environ", "....//....//etc", "%2e%2e%2f", "..%2f..",
    "..;/", "file:///etc/passwd", "/var/lib/../../etc", ".", "..", "a/..", "a/./b", "//etc", "\\\\host\\share",
]  # fmt: skip
OPTIONS = [
    "-rf",
    "--help",
    "-o/tmp/x",
    "--output={mark}",
    "-",
    "--",
    "-c=/etc",
    "@/etc/passwd",
    "+x",
    "-exec touch {mark} ;",
]
ADDRESSES = [
    "127.0.0.1:{trap}", "localhost:{trap}", "localhost.:{trap}", "LOCALHOST:{trap}", "127.1:{trap}", "127.0.1:{trap}",
    "2130706433:{trap}", "0x7f000001:{trap}", "0x7f.0x0.0x0.0x1:{trap}", "0177.0.0.1:{trap}", "017700000001:{trap}",
    "127.0.0.01:{trap}", "0:{trap}", "0.0.0.0:{trap}", "[::1]:{trap}", "[::]:{trap}", "[::ffff:127.0.0.1]:{trap}",
    "[::ffff:7f00:1]:{trap}", "[0:0:0:0:0:ffff:127.0.0.1]:{trap}", "[::127.0.0.1]:{trap}", "[64:ff9b::7f00:1]:{trap}",
    "[fe80::1%25lo]:{trap}", "[::1%25lo]:{trap}", "::1", "１２７.０.０.１:{trap}", "127。0。0。1:{trap}", "①②⑦.0.0.1:{trap}",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:{trap}", "127.0.0.1%00.example.org:{trap}", "example.org@127.0.0.1:{trap}",
    "http://127.0.0.1:{trap}/", "http://localhost:{trap}/", "https://127.0.0.1:{trap}/", "http://127.1:{trap}/",
    "http://0x7f.1:{trap}/", "http://[::1]:{trap}/", "http://[::ffff:127.0.0.1]:{trap}/", "http://2130706433:{trap}/",
    "http://example.org@127.0.0.1:{trap}/", "http://127.0.0.1:{trap}@example.org/", "http://example.org#@127.0.0.1:{trap}/",
    "http://example.org\\@127.0.0.1:{trap}/", "http:127.0.0.1:{trap}", "http:///127.0.0.1:{trap}/", "//127.0.0.1:{trap}/",
    "http://127.0.0.1:{trap}\r\nHost: x/", "http://127.0.0.1\t:{trap}/", " http://127.0.0.1:{trap}/", "HTTP://127.0.0.1:{trap}/",
    "ftp://127.0.0.1:{trap}/", "gopher://127.0.0.1:{trap}/_x", "dict://127.0.0.1:{trap}/", "ldap://127.0.0.1:{trap}/",
    "http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/", "http://metadata.google.internal/",
    "169.254.169.254:80", "[::ffff:169.254.169.254]:80", "[64:ff9b::a9fe:a9fe]:80", "100.100.100.200:80",
]  # fmt: skip
SIGNS = [
    "a\u202eb",
    "\u2066x\u2069",
    "a\u200bb",
    "\ufeffa",
    "a\u200e",
    "\ud800",
    "\udfff",
    "a\u0300" * 40,
    "x" * 400,
    "x" * 70_000,
    "",
    " ",
]

CORPUS = list(itertools.chain(METACHARACTERS, TEMPLATES, TRAVERSAL, OPTIONS, ADDRESSES, SIGNS))


def values(trap: int, mark: str) -> list[str]:
    """The corpus, aimed at this port and this file."""
    return [text.format(trap=trap, mark=mark) if "{" in text else text for text in CORPUS]
