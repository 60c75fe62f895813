# Installs the Debian packages in $missing, if there are any; elsewhere says what to install. For scripts beside it.
[ -n "$missing" ] || exit 0
command -v apt-get > /dev/null || { echo "install these with your package manager:$missing" >&2; exit 1; }
as_root=""
[ "$(id -u)" = 0 ] || as_root="sudo"
$as_root apt-get update -qq
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing
