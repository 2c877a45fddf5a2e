# bash completion for sidecar: asks the program itself, so it knows each option there is.
_sidecar() {
    local current=${COMP_WORDS[COMP_CWORD]} program=${COMP_WORDS[0]} subcommand='' help options subcommands word
    case ${COMP_WORDS[COMP_CWORD - 1]} in
    -c | --config)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    esac
    help=$("$program" --help 2>/dev/null) || return
    subcommands=$(sed -n '/^Subcommands:/,$ s/^  \([a-z-]*\) .*/\1/p' <<<"$help")
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        if grep -qx -e "$word" <<<"$subcommands"; then subcommand=$word; fi
    done
    if [[ -n $subcommand ]]; then
        help=$("$program" "$subcommand" --help 2>/dev/null)
        subcommands=''
    fi
    options=$(sed -n 's/^  \(-[^ ]*\).*/\1/p' <<<"$help" | tr ',' '\n')
    mapfile -t COMPREPLY < <(compgen -W "$subcommands $options" -- "$current")
}
complete -F _sidecar sidecar
