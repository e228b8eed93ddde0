(module
  (memory (export "memory") 1)
  (func (export "load8") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "load32") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "load32far") (param i32) (result i32) (i32.load offset=1024 (local.get 0)))
  (func (export "store64") (param i32) (result i32) (i64.store (local.get 0) (i64.const 1)) (i32.const 0))
  (func (export "store64odd") (param i32) (result i32) (i64.store offset=3 align=1 (local.get 0) (i64.const -1)) (i32.const 0))
  (func (export "fill") (param i32) (result i32) (memory.fill (local.get 0) (i32.const 7) (i32.const 100)) (i32.const 0)))
