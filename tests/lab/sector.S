# The operating system of a guest in one sector, which does what it is asked to on its first
# serial port, and shuts down when its power button is pressed. It prints B when it has booted.
# The ports are those of QEMU's chipsets, as SeaBIOS sets them up.
        .intel_syntax noprefix
        .code16
        .globl _start

        .set SERIAL, 0x3f8
        .set SERIAL_STATUS, 0x3fd
        .set BUTTON_STATUS, 0x600       # ACPI's PM1a event block: status, then enable
        .set BUTTON_ENABLE, 0x602
        .set SLEEP, 0x604               # ACPI's PM1a control block
        .set RESET, 0xcf9
        .set PANIC, 0x505               # QEMU's pvpanic

_start: mov     dx, BUTTON_ENABLE
        mov     ax, 0x100
        out     dx, ax
        mov     al, 'B'
answer: mov     dx, SERIAL
        out     dx, al
idle:   sti
        hlt                             # until the timer ticks, 18 times a second
        mov     dx, BUTTON_STATUS
        in      ax, dx
        test    ah, 1
        jnz     off
        mov     dx, SERIAL_STATUS
        in      al, dx
        test    al, 1
        jz      idle
        mov     dx, SERIAL
        in      al, dx
        cmp     al, 'p'
        je      off
        cmp     al, 'r'
        je      reset
        cmp     al, 'c'
        je      crash
        cmp     al, 'i'
        jne     answer
        mov     dx, BUTTON_ENABLE       # ignores the button from now on
        xor     ax, ax
        out     dx, ax
        mov     al, 'i'
        jmp     answer
off:    mov     dx, SLEEP
        mov     ax, 0x2000              # S5
        out     dx, ax
        jmp     halt
reset:  mov     dx, RESET
        mov     al, 6
        out     dx, al
        jmp     halt
crash:  mov     dx, PANIC
        mov     al, 1
        out     dx, al
halt:   cli
        hlt
        jmp     halt

        .org    510
        .word   0xaa55
