// The operators that TorchScript from strangers may use. They compute with tensors, numbers, lists and texts; none
// opens a file, prints, starts another task, keeps something for the rest of the program or goes by Python.
#include <set>
#include <sstream>
#include <string>

#include "models/formats/torch/script_archive.hpp"

namespace fercli {

namespace {

// In place ("relu_") is allowed where the plain form is.
constexpr const char* kTensorOperators = R"(
  abs absolute acos acosh add addbmm addcdiv addcmul addmm addmv addr angle arccos arcsin arctan asin asinh atan atan2
  atanh baddbmm bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor bmm ceil clamp
  clamp_max clamp_min clip copysign cos cosh cross cumprod cumsum cummax cummin deg2rad det diff digamma div divide dot
  einsum eq equal erf erfc erfinv exp exp2 expm1 float_power floor floor_divide fmax fmin fmod frac ge gcd ger greater
  greater_equal gt heaviside hypot inner inverse isclose isfinite isinf isnan isneginf isposinf isreal kron lcm ldexp le
  lerp less less_equal lgamma log log10 log1p log2 logaddexp logaddexp2 logdet logical_and logical_not logical_or
  logical_xor logit lt matmul matrix_exp matrix_power maximum minimum mm mul multiply mv nan_to_num ne neg negative
  nextafter not_equal outer positive pow rad2deg reciprocal remainder round rsqrt rsub sgn sigmoid sign signbit sin sinc
  sinh sqrt square sub subtract tan tanh tensordot true_divide trunc fix vdot xlogy trace real imag
  _conj conj resolve_conj resolve_neg is_complex is_conj is_neg view_as_real view_as_complex complex polar
  linalg_cross linalg_det linalg_inv linalg_matmul linalg_matrix_norm linalg_matrix_power linalg_multi_dot linalg_norm
  linalg_vecdot linalg_vector_norm special_erf special_erfc special_exp2 special_expit special_expm1 special_log1p
  special_log_softmax special_logit special_logsumexp special_round special_softmax special_xlogy
  fft_fft fft_fft2 fft_fftn fft_fftshift fft_ifft fft_ifft2 fft_ifftn fft_ifftshift fft_irfft fft_irfft2 fft_irfftn
  fft_rfft fft_rfft2 fft_rfftn
  all allclose amax amin aminmax any argmax argmin argsort bincount count_nonzero cov corrcoef dist frobenius_norm
  histc kthvalue logcumsumexp logsumexp max mean median min mode msort nanmean nanmedian nanquantile nansum norm
  norm_except_dim nuclear_norm prod quantile sort std std_mean sum topk unique_consecutive var var_mean
  renorm cdist pdist pairwise_distance cosine_similarity
  adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d _adaptive_avg_pool2d adaptive_max_pool1d
  adaptive_max_pool2d adaptive_max_pool3d affine_grid_generator alpha_dropout avg_pool1d avg_pool2d avg_pool3d
  batch_norm bilinear celu channel_shuffle constant_pad_nd conv1d conv2d conv3d conv_transpose1d
  conv_transpose2d conv_transpose3d convolution _convolution _convolution_mode dropout elu embedding
  feature_alpha_dropout feature_dropout gelu glu grid_sampler grid_sampler_2d grid_sampler_3d group_norm hardshrink
  hardsigmoid hardswish hardtanh instance_norm layer_norm leaky_relu linear log_sigmoid log_softmax _log_softmax lstm
  gru rnn_tanh rnn_relu lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell max_pool1d max_pool1d_with_indices max_pool2d
  max_pool2d_with_indices max_pool3d max_pool3d_with_indices max_unpool2d max_unpool3d mish native_batch_norm
  native_group_norm native_layer_norm native_dropout one_hot pad pixel_shuffle pixel_unshuffle prelu reflection_pad1d
  reflection_pad2d reflection_pad3d relu relu6 replication_pad1d replication_pad2d replication_pad3d rrelu
  scaled_dot_product_attention _scaled_dot_product_attention _native_multi_head_attention
  _transformer_encoder_layer_fwd selu silu softmax _softmax softplus softshrink tanhshrink threshold
  upsample_bicubic2d upsample_bilinear2d upsample_linear1d upsample_nearest1d upsample_nearest2d upsample_nearest3d
  upsample_trilinear3d _upsample_bilinear2d_aa _upsample_bicubic2d_aa _upsample_nearest_exact1d
  _upsample_nearest_exact2d __interpolate __upsample __upsample_bilinear __upsample_nearest im2col col2im
  binary_cross_entropy binary_cross_entropy_with_logits cross_entropy_loss huber_loss kl_div l1_loss mse_loss nll_loss
  nll_loss2d nll_loss_nd smooth_l1_loss
  adjoint alias align_tensors as_strided atleast_1d atleast_2d atleast_3d block_diag broadcast_tensors broadcast_to
  cartesian_prod cat chunk clone column_stack combinations concat concatenate contiguous detach diag diag_embed diagflat
  diagonal diagonal_scatter dsplit dstack expand expand_as flatten flip fliplr flipud gather hsplit hstack index
  index_add index_copy index_fill index_put index_select masked_fill masked_scatter masked_select meshgrid moveaxis
  movedim mH mT matrix_H narrow nonzero nonzero_numpy numpy_T permute ravel repeat repeat_interleave reshape reshape_as
  roll rot90 row_stack scatter scatter_add scatter_reduce searchsorted bucketize select select_scatter slice
  slice_scatter split split_with_sizes squeeze stack sum_to_size swapaxes swapdims t take take_along_dim tensor_split
  tile transpose tril triu unbind unflatten unfold unsafe_chunk unsafe_split unsafe_split_with_sizes unsqueeze view
  view_as vsplit vstack where fill fill_diagonal zero isin argwhere
  arange empty empty_like eye full full_like hann_window hamming_window linspace logspace new_empty new_full new_ones
  new_zeros ones ones_like scalar_tensor zeros zeros_like tensor as_tensor tril_indices triu_indices
  bernoulli multinomial normal rand rand_like randint randint_like randn randn_like randperm uniform
  _cast_Byte _cast_Double _cast_Float _cast_Half _cast_Int _cast_Long to type_as cpu copy promote_types result_type
  _shape_as_tensor _reshape_from_tensor _unwrap_optional is_floating_point is_signed is_nonzero is_contiguous
  is_same_size is_grad_enabled is_scripting is_autocast_enabled is_autocast_cpu_enabled _get_tracing_state
  has_torch_function get_device item numel size stride storage_offset dim element_size sym_size sym_numel sym_stride
  requires_grad _local_scalar_dense lift_fresh
)";

// On numbers, texts, lists and dictionaries.
constexpr const char* kValueOperators = R"(
  Bool Complex ComplexImplicit Delete Float FloatImplicit Int IntImplicit ScalarImplicit Size
  __and__ __contains__ __derive_index __getitem__ __is__ __isnot__ __lshift__ __not__ __or__ __range_length
  __round_to_zero_floordiv __rshift__ __xor__ _set_item append bin capitalize chr clear count degrees dict divmod
  endswith extend fabs factorial find floordiv format get hex insert isalnum isalpha isdigit islower isspace
  isupper items join keys len list lower lstrip mathremainder modf oct ord partition percentFormat pop popitem radians
  range remove replace reverse rfind rpartition rsplit rstrip setdefault sorted splitlines startswith str strip title
  update upper values zfill _list_to_tensor _infer_size center hash rename resize
)";

// In the language itself.
constexpr const char* kLanguage = R"(
  prim::Constant prim::If prim::Loop prim::GetAttr prim::SetAttr prim::CallMethod prim::CallFunction
  prim::ListConstruct prim::ListUnpack prim::TupleConstruct prim::TupleUnpack prim::TupleIndex prim::TupleSlice
  prim::DictConstruct prim::CreateObject prim::Uninitialized prim::unchecked_cast prim::unchecked_unwrap_optional
  prim::RaiseException prim::isinstance prim::NumToTensor prim::min prim::max prim::abs prim::device prim::dtype
  prim::layout prim::data prim::is_cuda prim::is_cpu prim::is_sparse prim::is_quantized prim::is_mkldnn prim::is_meta
  prim::requires_grad prim::rangelist prim::tolist prim::ConstantChunk prim::StringIndex prim::EnumValue prim::EnumName
  prim::ModuleContainerIndex prim::Enter prim::Exit prim::Return prim::Param prim::index prim::type prim::name
)";

std::set<std::string> allowed_operators() {
  std::set<std::string> names;
  std::string word;
  std::istringstream tensors(kTensorOperators), values(kValueOperators), language(kLanguage);
  while (tensors >> word) names.insert({"aten::" + word, "aten::" + word + "_"});
  while (values >> word) names.insert("aten::" + word);
  while (language >> word) names.insert(word);
  return names;
}

}  // namespace

bool is_tensor_operator(const std::string& qualified_name) {
  static const std::set<std::string> allowed = allowed_operators();
  return allowed.count(qualified_name) > 0;
}

}  // namespace fercli
