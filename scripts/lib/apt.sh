#!/bin/bash
# Installing packages where a script may, to be sourced by bash.
#
#   apt_install WHAT PACKAGE...  installs packages of Debian or Ubuntu, as root; WHAT is said.
#                                Options of apt-get may stand among the packages

apt_install() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then
        echo "$1 is missing, and only root of Debian or Ubuntu can install it here" >&2
        return 1
    fi
    echo "installing $1" >&2
    apt-get update -qq \
        && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${@:2}" > /dev/null
}
