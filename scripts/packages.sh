# What each command of ./dev needs, in Debian's and Ubuntu's names, and how it is installed. Sourced by ./dev.
# shellcheck shell=bash disable=SC2034

# shellcheck source=/dev/null
distribution() { (. /etc/os-release 2>/dev/null && echo "${ID:-}:${VERSION_ID:-}") || true; }

# Debian's default Boost is too old in 12; from 13 on, and in Ubuntu 24.04, the default one will do.
boost=libboost-dev
[[ $(distribution) == debian:12 ]] && boost=libboost1.81-dev
build_packages=(g++ cmake ninja-build ccache "$boost" libsimdjson-dev libyaml-cpp-dev libfmt-dev libssl-dev zlib1g-dev
    prometheus-cpp-dev libcli11-dev doctest-dev)
demo_packages=(curl)
clang_packages=(clang libclang-rt-dev llvm clang-format clang-tidy)
check_packages=(git python3 clang-format shellcheck)
peer_packages=(curl haproxy nginx prometheus python3 python3-yaml python3-jsonschema chromium fonts-dejavu-core)
# Grape has left Debian with 13.
grape_packages=()
[[ $(distribution) == debian:13 ]] ||
    grape_packages=(ruby ruby-grape puma ruby-rack ruby-rack-cors ruby-rack-timeout ruby-activerecord ruby-railties ruby-sqlite3
        ruby-pg postgresql)
# Java, too, where there is a compiler of it; `./dev clients` installs one.
client_packages=(curl wget python3 python3-requests nodejs nginx apache2-bin ruby puma)
bench_packages=(libbenchmark-dev python3 haproxy nginx libnginx-mod-http-lua lua-cjson strace valgrind)

installed() {
    # Any Boost that is new enough counts, whatever its package is called.
    [[ $1 == libboost* ]] && grep -qsE 'BOOST_VERSION 1(08[1-9]|09|[1-9])' /usr/include/boost/version.hpp && return
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

as_root() {
    if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

# What is too old is said before anything is installed.
check_machine() {
    local id version
    IFS=: read -r id version < <(distribution)
    case $id:${version%%.*} in
    debian:[1-9] | debian:1[01]) die "Debian $version is too old (its compiler and its Boost): 12 or later" ;;
    ubuntu:[1-9] | ubuntu:1? | ubuntu:2[0-3]) die "Ubuntu $version is too old (its compiler and its Boost): 24.04 or later" ;;
    esac
    if command -v g++ >/dev/null && (($(g++ -dumpversion | cut -d. -f1) < 12)); then
        die "g++ is $(g++ -dumpversion) here, and 12 is the oldest that compiles this: make \`g++\` a later one"
    fi
}

install_packages() {
    check_machine
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        command -v cmake >/dev/null && command -v ninja >/dev/null && return # and CMake names what else is missing
        die "this installs on Debian and Ubuntu only; here, install what they call: $*"
    fi
    local package missing=()
    for package in "$@"; do installed "$package" || missing+=("$package"); done
    ((${#missing[@]})) || return 0
    local command="apt-get update && apt-get install --no-install-recommends ${missing[*]}"
    if ((EUID != 0)); then
        command -v sudo >/dev/null || die "missing packages, and neither root nor sudo to install them. As root: $command"
        if ! sudo -n true 2>/dev/null; then
            [[ -t 0 ]] || die "missing packages, and sudo would ask for a password. As root: $command"
            # Here, where it can be seen, and not within the step.
            echo "-- sudo asks for your password, to install ${#missing[@]} packages: ${missing[*]}"
            sudo -v || die "could not install. As root: $command"
        fi
    fi
    rooted=yes step "install ${missing[*]}" apt_install "${missing[@]}" || die "could not install. As root: $command"
}

# Some of these are servers, wanted as programs and not as services on port 80: policy-rc.d keeps them from starting.
apt_install() {
    local policy=/usr/sbin/policy-rc.d made='' status=0
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
    as_root "${apt[@]}" update || echo "apt-get update failed; trying with the lists there are"
    if [[ ! -e $policy ]]; then
        made=yes
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null && as_root chmod +x "$policy"
    fi
    as_root "${apt[@]}" install --no-install-recommends "$@" || status=$?
    [[ -z $made ]] || as_root rm -f "$policy"
    return "$status"
}

install_all() {
    install_packages "${build_packages[@]}" "${clang_packages[@]}" "${check_packages[@]}" "${peer_packages[@]}" "${client_packages[@]}" "${grape_packages[@]}"
}
