#!/usr/bin/env bash
# Usage: scripts/lint-tool.sh VERSION
#
# Makes sure that bin/golangci-lint has the version, without the leading v.
set -euo pipefail
cd "$(dirname "$0")/.."

if bin/golangci-lint version 2>/dev/null | grep -qF "version $1 "; then
	exit 0
fi
echo "building golangci-lint $1 (once)"
GOBIN=$PWD/bin go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$1"
