# Direct boot: the header that the ROM looks for, the entry that it calls, and the interrupt vectors.
# The ROM maps the flash at 0x42000000 and 0x3C000000 and calls flash offset 8.

    .section .header, "ax"
    .word 0xaedb041d
    .word 0xaedb041d

    .globl _start
_start:
    csrci   mstatus, 8              # interrupts off
    .option push
    .option norelax
    la      gp, __global_pointer$
    .option pop
    la      sp, stack_top
    la      tp, thread_area         # picolibc keeps errno here

    # Hot code and initialised data: from flash to RAM. Two words a turn; the linker pads to 16 bytes.
    la      a0, ram_image_begin
    la      a1, ram_image_end
    la      a2, ram_image_flash
1:  bgeu    a0, a1, 2f
    lw      a3, 0(a2)
    lw      a4, 4(a2)
    sw      a3, 0(a0)
    sw      a4, 4(a0)
    addi    a0, a0, 8
    addi    a2, a2, 8
    j       1b
2:  la      a0, bss_begin
    la      a1, bss_end
3:  bgeu    a0, a1, 4f
    sw      zero, 0(a0)
    sw      zero, 4(a0)
    addi    a0, a0, 8
    j       3b
4:  la      a0, stack_bottom        # paint the stack: its high-water mark shows
    li      a1, 0xa5a5a5a5
5:  bgeu    a0, sp, 6f
    sw      a1, 0(a0)
    addi    a0, a0, 4
    j       5b
6:  la      a0, vectors             # 256-byte aligned; bit 0: vectored
    ori     a0, a0, 1
    csrw    mtvec, a0
    call    main
7:  j       7b

# Vectors: entry 0 is the exceptions', entry n CPU interrupt n.
    .section .iram.vectors, "ax"
    .balign 256
    .globl vectors
vectors:
    .option push
    .option norvc
    j       exception
    .rept 8
    j       exception
    .endr
    j       edge_vector             # 9: GPIO edges, top priority
    j       service_vector          # 10: UART1, USB, timer
    .rept 21
    j       exception
    .endr
    .option pop

# What a called C function may destroy; a0 is saved before. The frame has 80 bytes.
    .macro EACH op
    .set    offset, 4
    .irp    register, ra, t0, t1, t2, t3, t4, t5, t6, a1, a2, a3, a4, a5, a6, a7
    \op     \register, offset(sp)
    .set    offset, offset + 4
    .endr
    .endm
    .macro RESTORE
    EACH    lw
    lw      a0, 0(sp)
    addi    sp, sp, 80
    .endm

# An edge: the cycle counter first, then everything else. Never interrupted itself.
edge_vector:
    addi    sp, sp, -80
    sw      a0, 0(sp)
    csrr    a0, 0x7e2
    EACH    sw
    csrr    a1, mepc
    call    capture_interrupt       # (cycles, interrupted pc)
    RESTORE
    mret

# Everything that can wait: runs with the edges' interrupt enabled.
service_vector:
    addi    sp, sp, -80
    sw      a0, 0(sp)
    EACH    sw
    csrr    a0, mepc
    csrr    a1, mstatus
    sw      a0, 64(sp)
    sw      a1, 68(sp)
    call    service_interrupt_enter
    csrsi   mstatus, 8
    call    service_interrupt
    csrci   mstatus, 8
    call    service_interrupt_leave
    lw      a0, 64(sp)
    lw      a1, 68(sp)
    csrw    mepc, a0
    csrw    mstatus, a1
    RESTORE
    mret

# A fault of ours: recorded on a stack of its own, then restart. crash_stop(CRASH_TRAP, mcause, mepc, mtval, sp)
exception:
    mv      a4, sp
    la      sp, crash_stack_top
    li      a0, 1
    csrr    a1, mcause
    csrr    a2, mepc
    csrr    a3, mtval
    j       crash_stop
