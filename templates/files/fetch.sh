#!/usr/bin/env bash
# A commit of a repository as a checkout, in the working directory. What reaches the network is repeated: the fetch, the
# files of a partial clone, which come with the checkout, and the submodules.
#
# Where the step has a cache, objects come through it: a bare repository per URL, locked while it is used, into which only
# what is new is fetched. The server is always asked what the ref means, and every object that leaves the cache is hashed
# again, so a wrong one is an error and never a wrong checkout. Whatever goes wrong there, the network is asked directly.
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
cache=${ROCMIMG_GIT_CACHE:-/run/rocmimg/git}

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
        ! unknown || exit 1
        return 1
    }
}

unknown() {
    grep -q -e "find remote ref" -e "not our ref" "$errors"
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

# The cache: each `fill` brings into $store what its `take` needs of it, and sets $commit.

cached() { # FILL TAKE REPOSITORY WANTED [MORE]: in a process of its own, which holds the lock
    [ -d "$cache" ] && command -v flock > /dev/null || return 1
    store=$cache/$1-$(printf %s "$3" | sha256sum | cut -c -40).git
    (
        set +e
        exec 9> "$store.lock"
        flock -w 1800 9 || exit 1
        rm -rf "$store.new" "$store.old"
        if [ -d "$store" ]; then
            "$1" "$3" "$4" && "$2" "${@:3}" && exit 0
            ! unknown || exit 1
            echo "fetch.sh: the cache of $3 cannot be used, it is made anew: $(tail -n 1 "$errors")" >&2
            mv "$store" "$store.old"
        fi
        stored "$3" && "$1" "$3" "$4" && "$2" "${@:3}" && rm -rf "$store.old" && exit 0
        rm -rf "$store"
        [ ! -d "$store.old" ] || mv "$store.old" "$store" # a new one cannot be made either: the network is at fault
        exit 1
    )
}

stored() {
    git init --quiet --bare "$store" \
        && git -C "$store" remote add origin "$1" \
        && git -C "$store" config uploadpack.allowFilter true \
        && git -C "$store" config uploadpack.allowAnySHA1InWant true \
        && git -C "$store" config gc.autoDetach false
}

into() { # what is fetched into the store
    git -C "$store" fetch --quiet --force "$@" 2> "$errors"
}

whole() { # REPOSITORY REF: its history, all tags, and the files of that commit
    into --prune --filter=blob:none origin "$2" "+refs/tags/*:refs/tags/*" \
        && commit=$(git -C "$store" rev-parse --verify --quiet 'FETCH_HEAD^{commit}') \
        && git -C "$store" update-ref "refs/rocmimg/$commit" "$commit" \
        && git -C "$store" rev-list --objects --no-walk --missing=print "$commit" | sed -n 's/^?//p' > "$missing" \
        && if [ -s "$missing" ]; then
            git -C "$store" -c fetch.negotiationAlgorithm=noop fetch --quiet --no-tags --no-write-fetch-head \
                --recurse-submodules=no --filter=blob:none --stdin origin < "$missing" 2> "$errors"
        fi
}

take_whole() { # REPOSITORY: the checkout, as `pinned` makes it
    local from=(-c "url.file://$store.insteadOf=$1")
    git "${from[@]}" fetch --quiet --force --filter=blob:none origin "+refs/tags/*:refs/tags/*" "$commit" \
        && git "${from[@]}" checkout --quiet --force --detach "$commit"
}

single() { # REPOSITORY COMMIT: that commit alone
    commit=$2
    git -C "$store" cat-file -e "$commit^{tree}" 2> /dev/null || into --depth 1 origin "$commit" || return
    git -C "$store" update-ref "refs/rocmimg/$commit" "$commit" && git -C "$store" update-ref --no-deref HEAD "$commit"
}

take_single() { # REPOSITORY COMMIT FOLDER PATH: a submodule
    git -C "$3" -c protocol.file.allow=always -c "url.file://$store.insteadOf=$1" \
        submodule --quiet update --depth 1 -- "$4"
}

submodules_from_cache() { # FOLDER [PATH...]: as many as come; `complete` sees to the rest
    local folder=$1 key path name url commit
    shift
    [ -f "$folder/.gitmodules" ] && git -C "$folder" submodule --quiet init ${@+-- "$@"} || return 0
    while read -r key path <&3; do
        name=${key#submodule.} name=${name%.path}
        url=$(git -C "$folder" config "submodule.$name.url") || continue
        commit=$(git -C "$folder" ls-files --stage -- "$path" | sed -n 's/^160000 \([0-9a-f]*\) .*/\1/p')
        [ -z "$commit" ] || ! cached single take_single "$url" "$commit" "$folder" "$path" \
            || submodules_from_cache "$folder/$path"
    done 3< <(git config --file "$folder/.gitmodules" --get-regexp '^submodule\..*\.path$')
}

errors=$(mktemp) missing=$(mktemp)
trap 'rm -f "$errors" "$missing"' EXIT
git init --quiet
git remote add origin "$repository"
cached whole take_whole "$repository" "$ref" || retry pinned
if [ ${#reverts[@]} != 0 ] || [ ${#picks[@]} != 0 ]; then
    retry changed
fi
if [ -d "$cache" ] && [ "$submodules" != none ]; then
    paths=()
    [ "$submodules" = all ] || IFS=, read -r -a paths <<< "$submodules"
    submodules_from_cache . ${paths[@]+"${paths[@]}"}
fi
retry complete
find .git -name FETCH_HEAD -delete # it names the mirror that was asked
git rev-parse HEAD
