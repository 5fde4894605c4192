#!/usr/bin/env bash
# A commit of a repository as a checkout, in the working directory. What reaches the network is repeated: the fetch, the files of a partial clone,
# which come with the checkout, and the submodules.
#
# usage: fetch.sh REPOSITORY REF [revert=COMMIT]... [pick=COMMIT]... [submodules=all|none|PATH,...]
set -euo pipefail

repository=$1 ref=$2
shift 2
reverts=() picks=() submodules=all
for word in "$@"; do
    case $word in
        revert=*) reverts+=("${word#*=}") ;;
        pick=*) picks+=("${word#*=}") ;;
        submodules=*) submodules=${word#*=} ;;
        *)
            echo "fetch.sh: unknown argument $word" >&2
            exit 2
            ;;
    esac
done

retry() {
    for wait in 5 20 60 0; do
        "$@" && return
        [ "$wait" != 0 ] || exit 1
        echo "fetch.sh: $1 failed, again in $wait seconds" >&2
        sleep "$wait"
    done
}

fetched() { # What the server says of the ref is final; all else may pass.
    git fetch --quiet "$@" 2> "$errors" || {
        cat "$errors" >&2
        ! grep -q -e "find remote ref" -e "not our ref" "$errors" || exit 1
        return 1
    }
}

pinned() { # Force: newer .gitattributes make files of older pins look changed.
    fetched --tags --filter=blob:none origin "$ref" && git checkout --quiet --force --detach FETCH_HEAD
}

changed() { # Commits that do not apply are final.
    git reset --quiet --hard
    if [ ${#reverts[@]} != 0 ]; then
        git revert --no-commit "${reverts[@]}" || conflict || return
    fi
    if [ ${#picks[@]} != 0 ]; then
        fetched --filter=blob:none origin "${picks[@]}" || return
        git cherry-pick --no-commit "${picks[@]}" || conflict || return
    fi
}

conflict() {
    git ls-files --unmerged > "$errors"
    [ ! -s "$errors" ] || exit 1
    return 1
}

complete() {
    case $submodules in
        none) return ;;
        all) paths=() ;;
        *) IFS=, read -r -a paths <<< "$submodules" ;;
    esac
    git submodule update --quiet --init --recursive --depth 1 --jobs 4 ${paths[@]+-- "${paths[@]}"}
}

errors=$(mktemp)
trap 'rm -f "$errors"' EXIT
git init --quiet
git remote add origin "$repository"
retry pinned
if [ ${#reverts[@]} != 0 ] || [ ${#picks[@]} != 0 ]; then
    retry changed
fi
retry complete
find .git -name FETCH_HEAD -delete # it names the mirror that was asked
git rev-parse HEAD
